# What has to be ruled out before anything is believed.
