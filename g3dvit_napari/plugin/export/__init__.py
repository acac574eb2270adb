"""What is on the canvas, as a file: a picture of any size, and the turntable as a movie."""
