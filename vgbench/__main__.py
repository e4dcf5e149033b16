"""`python -m vgbench` is the command `vgbench`."""

from vgbench.cli import main

if __name__ == "__main__":
    main()
