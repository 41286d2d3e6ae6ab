"""Pictures and noise as arrays: opening and fitting a picture, blending and painting noise. numpy and Pillow."""
