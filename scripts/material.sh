#!/bin/sh
# Makes the training material that docs/model_card.md names. Every step goes on where it stopped.
#   scripts/material.sh CORPUS COLLECTIONS WEIGHTS DATA
# CORPUS: folder with manifest.csv. COLLECTIONS: the folders that training/recipes/open-speech.toml names.
# WEIGHTS: generator_v2, hifigan_float16.tflite, model_coeffs/, hifigan.onnx, melgan.pt, mb_melgan.tflite, G.pth,
# fargan_demo (docs/vocoders.md). DATA: where everything goes; DATA/pages, if there, holds more pages of the corpus.
set -eu
[ $# = 4 ] || { sed -n '2,6s/^# *//p' "$0" >&2; exit 2; }
corpus=$1 collections=$2 weights=$3 data=$4
training="${PYTHON:-python} -m training"
mkdir -p "$data"

$training gather training/recipes/open-speech.toml --root "$collections" --out "$data/open-speech" \
    --keep-out "$corpus/manifest.csv"
$training synthesise training/recipes/synthesisers.toml --out "$data/synthesised"

copies() { # name, speech, copies of a recording, seed
    $training vocode "$2" --split train --out "$data/$1" --part "$1" --per-clip "$3" --seed "$4" \
        --weights "hifigan-v2=$weights/generator_v2" --weights "hifigan-v3=$weights/hifigan_float16.tflite" \
        --weights "hifigan-onnx=$weights/hifigan.onnx" --weights "melgan=$weights/melgan.pt" \
        --weights "mb-melgan=$weights/mb_melgan.tflite" --weights "lyra-v2=$weights/model_coeffs" \
        --weights "vits=$weights/G.pth" --weights "fargan=$weights/fargan_demo"
}
copies copies "$corpus" 3 51
copies open-copies "$data/open-speech" 1 53
if [ -d "$data/pages" ]; then
    copies page-copies "$data/pages" 2 55
    set -- "$corpus" "$data/pages"
else
    set -- "$corpus"
fi
$training equalise "$@" --out "$data/equalised"

# Pages as they are only where recordings and fakes have one format and rate; of all pages the equalised clips.
${PYTHON:-python} -c '
import csv, sys
print(*sorted({row["repo"] for row in csv.DictReader(open(sys.argv[1])) if row["caution"]}), sep="\n")
' "$corpus/pages.csv" >"$data/unequal-pages.txt"
$training select "$@" --part lab --part wild --out "$data/base"
$training select "$data/equalised" --part pages --training-only --out "$data/pages-equalised"
$training select "$@" --part pages --without "$data/unequal-pages.txt" --training-only --new-pairs raw- \
    --out "$data/pages-plain"
for part in equalised copies open-copies; do
    echo "$part:"
    $training shortcuts --corpus "$data/$part"
done
