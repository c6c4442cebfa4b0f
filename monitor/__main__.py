"""python -m monitor."""

from monitor.entry import main

if __name__ == "__main__":
    main()
