#!/bin/sh
# The demo of `make demo`; with arguments, the command line itself.
set -eu
if [ "$#" -gt 0 ]; then
  exec lstmdrop "$@"
fi
lstmdrop train lm --data demo --size tiny --regularizer none --out runs/demo/none --resume
lstmdrop train lm --data demo --size tiny --regularizer zaremba --out runs/demo/zaremba --resume
lstmdrop report runs/demo --curves --no-paper
lstmdrop predict lm --run runs/demo/zaremba --prompt "the" --length 60 --ban '<unk>' --temperature 0.8
