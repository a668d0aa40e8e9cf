"""The sub-commands of `skin-synth`, one file each: its flags, and the call of the library."""
