// Package hub brings checkpoints from the Hugging Face hub, or a server that speaks like it,
// into a folder.
//
// A pull asks once what the repository has at a revision, and from then on names the commit
// that the answer names: whatever happens to the branch, all files are of one commit. It asks
// for the information of the model with blobs=true and not for the tree, since that is one
// answer that has the commit and the digests together, and no pages.
//
// Every file has a digest there: the sha256 of large ones (LFS), and of others the name of
// the blob in git, which is a sha1. What has another digest never gets its name.
//
// In the folder, .llada-pull has the state:
//
//	lock       held by a pull, so that there is one at a time; never removed
//	pull.json  repository, commit, and the files that were verified: digests, size, time
//	*.partial  a file that is being fetched, as long as it will be
//	*.journal  which parts of it are on the disk
//
// A part is written and synced before the journal has it, and lines of the journal that are
// not whole are passed over, so a pull that is killed at any point, or whose machine is
// switched off, goes on from there. What the journal says is only a hint: the digest of the
// whole file decides.
//
// The token is added to requests for the endpoint's own scheme, host and port by the innermost
// layer of the client, which sees where a request really goes, so no redirect takes it along.
// Addresses other than the endpoint's do not stand in errors: those that the hub redirects to
// are signed, and as good as a token.
package hub
