"""Runs the command `skin-synth`: python -m skin_synth."""

from skin_synth.cli import main

if __name__ == "__main__":
    main()
