"""At what timescale does each layer work? One input is changed, and the change is followed up the layers and on."""
