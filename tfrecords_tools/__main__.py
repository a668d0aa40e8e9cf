"""Runs the command `tfrecords-tools`: python -m tfrecords_tools."""

from tfrecords_tools.cli import main

if __name__ == "__main__":
    main()
