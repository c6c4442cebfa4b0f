#!/bin/sh
# Recorded telephone prompts (a human voice) for the demonstration, where Debian's package is not installed.
set -eu
[ -d /usr/share/asterisk/sounds ] && exit 0
[ -d demo/prompts ] && exit 0
mkdir -p demo/unpack
echo "fetching a recorded human voice from the Debian archive"
curl --fail --silent --show-error --location --output demo/prompts.deb "$1" || {
  echo "could not fetch it; name a recording of your own: monitor demo FILE"; rm -rf demo/unpack; exit 0; }
(cd demo/unpack && ar x ../prompts.deb && tar xf data.tar.*)
mv demo/unpack/usr/share/asterisk/sounds demo/prompts
rm -rf demo/unpack demo/prompts.deb
