"""State-space duality: a linear recurrence with scalar decay, computed in chunks.

The state of each head, a matrix (head size, state), follows

    S[t] = exp(dt[t] A) S[t-1] + dt[t] x[t] B[t]^T,    y[t] = S[t] C[t] + D x[t].

Within a chunk outputs are a masked product like attention's, and only states at the chunks' edges
are carried on (Dao & Gu 2024, arXiv:2405.21060, section 6). The masks, chunk × chunk for each head,
are by far the largest arrays: they are made for a few chunks at a time and again in the backward
pass, so that memory grows with the length alone. All else is batched over chunks.
"""

import torch
from torch.autograd.function import once_differentiable

# Elements of the masks made at a time: what a processor's cache holds, what a GPU has to spare.
MASK_ELEMENTS = {"cpu": 2**18, "cuda": 2**27}


def ssd(
    x: torch.Tensor,
    dt: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    chunk: int,
    initial: torch.Tensor | None = None,
    D: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs and the last state of a state-space layer.

    A place whose `dt` is 0 leaves the state as it is, so padding on the right changes nothing.

    Parameters
    ----------
    x : torch.Tensor, shape (batch, length, heads, head size)
    dt : torch.Tensor, shape (batch, length, heads)
        Time steps, at least 0.
    A : torch.Tensor, shape (heads,)
        Rates of decay, negative.
    B, C : torch.Tensor, shape (batch, length, groups, state)
        What is written to the state, and how it is read. Heads are divided among groups in order.
    chunk : int
        Places computed as one masked product. It changes the speed, not the result.
    initial : torch.Tensor, optional, shape (batch, heads, head size, state)
        State before the first place; 0 if not given. With the last state of one call as the
        initial state of the next, a long sequence is computed in segments.
    D : torch.Tensor, optional, shape (heads,)
        How much of x is added to the outputs.

    Returns
    -------
    y : torch.Tensor, shape (batch, length, heads, head size)
        With the type of `x`. Inside, and under autocast too, numbers have at least 32 bits.
    last : torch.Tensor, shape (batch, heads, head size, state)

    Raises
    ------
    ValueError
        If there is no place, if a chunk has none, or if groups do not divide the heads.
    """
    batch, length, heads, size = x.shape
    groups, state = B.shape[2:]
    if length < 1 or chunk < 1 or heads % groups:
        raise ValueError(
            f"length ({length}) and chunk ({chunk}) must be at least 1, and the number of heads "
            f"({heads}) a multiple of that of groups ({groups})"
        )
    precise = torch.promote_types(x.dtype, torch.float32)
    if initial is None:
        initial = x.new_zeros((batch, heads, size, state), dtype=precise)
    if D is None:
        D = x.new_zeros(heads, dtype=precise)
    parts = [t.to(precise) for t in (x, dt, A, B, C, D, initial)]
    chunk = min(chunk, length)
    missing = -length % chunk
    if missing:
        for i in (0, 1, 3, 4):
            widths = (0, 0) * (parts[i].dim() - 2) + (0, missing)
            parts[i] = torch.nn.functional.pad(parts[i], widths)
    y, last = _SSD.apply(*parts, chunk)
    return y[:, :length].to(x.dtype), last


def ssd_recurrence(x, dt, A, B, C, initial=None, D=None):
    """Return what `ssd` returns, one place after another: slow, and as in the definition."""
    heads, groups = x.shape[2], B.shape[2]
    B, C = (t.repeat_interleave(heads // groups, dim=2) for t in (B, C))
    state = 0 if initial is None else initial
    outputs = []
    for t in range(x.shape[1]):
        written = (dt[:, t, :, None] * x[:, t])[..., None] * B[:, t, :, None]
        state = torch.exp(dt[:, t] * A)[..., None, None] * state + written
        outputs.append((state * C[:, t, :, None]).sum(dim=-1))
    y = torch.stack(outputs, dim=1)
    return y if D is None else y + D[:, None] * x, state


class _SSD(torch.autograd.Function):
    """The computation for whole chunks.

    Shapes in here: c chunks of all sequences, l places in a chunk, h heads, g groups, k heads of
    a group, p head size, n state; `v` are all numbers of a group's heads at one place, (k p).
    Tensors in chunks, (c, l, ...), have names that begin with c.

    The gradient of decay comes from pairs of places in a chunk (`both`), from reading the state
    before it (`rise`), from writing to the one after it (`fall`), and from what passes `through`.
    """

    @staticmethod
    def forward(ctx, x, dt, A, B, C, D, initial, chunk):
        with torch.autocast(x.device.type, enabled=False):
            batch, groups = x.shape[0], B.shape[2]
            y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
            cx, cy, cdt, cB, cC = (_chunks(t, chunk) for t in (x, y, dt, B, C))
            decay = torch.cumsum(cdt * A, dim=1)
            kept = (decay[:, -1:] - decay).exp_().mul_(cdt)
            states = x.new_empty((len(cx), groups, x[0, 0].numel() // groups, B.shape[3]))
            tiles = _tiles(len(cx), chunk, x)
            for t in tiles:
                left = _by_group(cx[t] * kept[t, ..., None], groups)
                torch.matmul(left.mT, cB[t].transpose(1, 2), out=states[t])
            states, last = _carry(states, initial, decay[:, -1].exp(), batch)
            for t in tiles:
                tB, tC = cB[t].transpose(1, 2), cC[t].transpose(1, 2)
                before = _by_head(tC @ states[t].mT, cx[t])
                torch.mul(before, decay[t, ..., None].exp(), out=cy[t])
                steps = cx[t] * cdt[t, ..., None]
                cy[t].add_(_within(decay[t], tC @ tB.mT, steps)).addcmul_(D[:, None], cx[t])
        ctx.chunk = chunk
        ctx.save_for_backward(x, dt, A, B, C, D, states)
        return y, last

    @staticmethod
    @once_differentiable
    def backward(ctx, dy, dlast):
        x, dt, A, B, C, D, states = ctx.saved_tensors
        with torch.autocast(x.device.type, enabled=False):
            batch, chunk, groups = x.shape[0], ctx.chunk, B.shape[2]
            dx, dB, dC = (torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in (x, B, C))
            cx, cdt, cB, cC, cdy = (_chunks(t, chunk) for t in (x, dt, B, C, dy))
            cdx, cdB, cdC = (_chunks(t, chunk) for t in (dx, dB, dC))
            decay = torch.cumsum(cdt * A, dim=1)
            begun, kept = decay.exp(), (decay[:, -1:] - decay).exp_()
            dstates, tiles = torch.empty_like(states), _tiles(len(cx), chunk, x)
            for t in tiles:
                read = _by_group(cdy[t] * begun[t, ..., None], groups)
                torch.matmul(read.mT, cC[t].transpose(1, 2), out=dstates[t])
            dstates, dinitial = _carry_back(dstates, dlast, begun[:, -1], batch)
            ddt, rise, fall, both = (torch.empty_like(decay) for _ in range(4))
            dD = torch.zeros_like(D)
            for t in tiles:
                tB, tC = cB[t].transpose(1, 2), cC[t].transpose(1, 2)
                steps, read = cx[t] * cdt[t, ..., None], cdy[t] * begun[t, ..., None]
                dsteps, dscore, both[t] = _within_back(decay[t], tC @ tB.mT, steps, cdy[t])
                before = _by_head(tC @ states[t].mT, cx[t])
                after = _by_head(tB @ dstates[t].mT, cx[t]).mul_(kept[t, ..., None])
                rise[t] = torch.linalg.vecdot(read, before)
                fall[t] = torch.linalg.vecdot(steps, after)
                dsteps = dsteps + after
                ddt[t] = torch.linalg.vecdot(dsteps, cx[t])
                torch.mul(dsteps, cdt[t, ..., None], out=cdx[t])
                cdx[t].addcmul_(D[:, None], cdy[t])
                left = _by_group(steps.mul_(kept[t, ..., None]), groups)
                cdC[t] = (dscore @ tB + _by_group(read, groups) @ states[t]).transpose(1, 2)
                cdB[t] = (dscore.mT @ tC + left @ dstates[t]).transpose(1, 2)
                dD += torch.linalg.vecdot(cdy[t], cx[t]).sum(dim=(0, 1))
            # A step's decay lies on the way from what is earlier to itself and what is later.
            through = (states * dstates).view(*decay[:, 0].shape, -1).sum(dim=-1) * begun[:, -1]
            dsum = (both + rise).flip(1).cumsum(1).flip(1) + through[:, None]
            dsum[:, 1:] += fall[:, :-1].cumsum(1)
            dA = (dsum * cdt).sum(dim=(0, 1))
            ddt = ddt.addcmul_(dsum, A).view_as(dt)
        return dx, ddt, dA, dB, dC, dD, dinitial, None


def _within(decay: torch.Tensor, score: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Return what places (c, l, h, p) get from their own chunk; score is (c, g, l, l)."""
    mask = _mask(decay)
    _grouped(mask, score.shape[1]).mul_(score[:, :, None])
    return (mask @ steps.transpose(1, 2)).transpose(1, 2)


def _within_back(
    decay: torch.Tensor, score: torch.Tensor, steps: torch.Tensor, dy: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return gradients of steps (c, l, h, p), score (c, g, l, l) and decay (c, l, h)."""
    groups, dy = score.shape[1], dy.transpose(1, 2).contiguous()
    mask = _mask(decay)
    dmask = _grouped(dy @ steps.permute(0, 2, 3, 1), groups).mul_(_grouped(mask, groups))
    dscore = dmask.sum(dim=2)
    _grouped(mask, groups).mul_(score[:, :, None])
    dsteps = (mask.mT @ dy).transpose(1, 2)
    pairs = dmask.mul_(score[:, :, None])
    # A place's pair with itself has no part in the difference. Where decay is fast it would be so
    # much larger than all others that rounding left nothing of them.
    pairs.diagonal(dim1=-2, dim2=-1).zero_()
    ddecay = (pairs.sum(dim=-1) - pairs.sum(dim=-2)).flatten(1, 2)
    return dsteps, dscore, ddecay.transpose(1, 2)


def _chunks(tensor: torch.Tensor, chunk: int) -> torch.Tensor:
    """View (batch, length, ...) as (chunks of all sequences, chunk, ...)."""
    return tensor.reshape(-1, chunk, *tensor.shape[2:])


def _tiles(chunks: int, chunk: int, x: torch.Tensor) -> list[slice]:
    """Divide the chunks so that the masks of each part are not too large."""
    elements = MASK_ELEMENTS.get(x.device.type, MASK_ELEMENTS["cuda"])
    step = max(1, elements // (chunk * chunk * x.shape[2]))
    return [slice(start, start + step) for start in range(0, chunks, step)]


def _mask(decay: torch.Tensor) -> torch.Tensor:
    """Return what is left (c, h, l, l) at each place of each earlier one; 0 of later ones."""
    decay = decay.transpose(1, 2).contiguous()
    # Later places can overflow to infinity, which is then overwritten, not multiplied.
    return (decay[..., :, None] - decay[..., None, :]).exp_().tril_()


def _grouped(masks: torch.Tensor, groups: int) -> torch.Tensor:
    """View (c, h, l, l) as (c, g, k, l, l)."""
    return masks.unflatten(1, (groups, -1))


def _by_group(values: torch.Tensor, groups: int) -> torch.Tensor:
    """Turn (c, l, h, p) into (c, g, l, v)."""
    return values.unflatten(2, (groups, -1)).flatten(3).transpose(1, 2)


def _by_head(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Turn (c, g, l, v) into (c, l, h, p)."""
    return values.transpose(1, 2).reshape(like.shape)


def _carry(added, initial, decay, batch):
    """Return the states before each chunk, and the last one, from what each chunk adds."""
    added = added.unflatten(0, (batch, -1))
    decay = decay.view(batch, added.shape[1], *initial.shape[1:2], 1, 1)
    state = initial
    for i in range(added.shape[1]):
        after = added[:, i].view_as(initial) + decay[:, i] * state
        added[:, i] = state.view_as(added[:, i])
        state = after
    return added.flatten(0, 1), state


def _carry_back(added, dlast, decay, batch):
    """Return gradients of the states after each chunk, and of the initial one."""
    added = added.unflatten(0, (batch, -1))
    decay = decay.view(batch, added.shape[1], *dlast.shape[1:2], 1, 1)
    state = dlast
    for i in reversed(range(added.shape[1])):
        before = added[:, i].view_as(dlast) + decay[:, i] * state
        added[:, i] = state.view_as(added[:, i])
        state = before
    return added.flatten(0, 1), state
