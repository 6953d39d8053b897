#!/bin/sh
# An agent mends a repository that it is given by URL; its change comes back as a patch and as a branch.
set -eu
cd "$(dirname "$0")"
. ../swarm.sh

# A host for the repository: an agent gets a URL and a commit, never a path of this machine.
cp -R shop "$work/shop"
git -C "$work/shop" init --quiet --initial-branch=main
git -C "$work/shop" add .
git -C "$work/shop" -c user.name=example -c user.email=example@localhost commit --quiet --message="A shop"
git clone --quiet --bare "$work/shop" "$work/site/shop.git"
git -C "$work/site/shop.git" update-server-info
python3 -u -m http.server --bind 127.0.0.1 --directory "$work/site" 0 >"$work/site.log" 2>"$work/site.err" &
started="$!"
wait_for $! "Serving" "$work/site.log"
url=http://127.0.0.1:$(sed 's/.* port \([0-9]*\).*/\1/' "$work/site.log")/shop.git
export no_proxy=127.0.0.1

play script.yaml
node lead --swarm.role coordinator
node hand --swarm.role worker --agents.path agents
joined

picoclaw dispatch "The total of an order forgets the discount: mend it" --agent mender --repo "$url"
picoclaw result last --artifacts "$work/out" >"$work/result"

echo "--- changes.patch"
cat "$work/out/task/changes.patch"
cd "$work/shop"
git apply "$work/out/task/changes.patch"
echo "--- applied to $(git log --format=%s): its own tests"
python3 -m unittest --quiet 2>&1
git restore .
echo "--- changes.bundle"
git fetch --quiet "$work/out/task/changes.bundle" 'refs/heads/*:refs/heads/*'
git log --format='%s, by %an' --max-count=1 "$(git branch --list 'picoclaw/*' --format='%(refname)')"
