"""``python -m lstmdrop``."""

from lstmdrop.cli import main

if __name__ == "__main__":
    main()
