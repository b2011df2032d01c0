"""`python -m genus` is the command `genus`: for `torchrun -m genus train DATA --cnn scratch`, say."""

from genus.cli.main import run

if __name__ == "__main__":
    run()
