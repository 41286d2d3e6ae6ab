"""Pictures and noise as arrays: opening pictures, blending and painting noise, starts of runs. numpy and Pillow."""
