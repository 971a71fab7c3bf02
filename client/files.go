package client

// TreeEntry is one file or folder of a repository. GET /repositories/{namespace}/{name}/tree (repository:read).
type TreeEntry struct {
	Path   string `json:"path"`
	Type   string `json:"type" enum:"blob,tree,commit" doc:"commit is a submodule."`
	Mode   string `json:"mode" doc:"120000 is a link."`
	Hash   string `json:"hash"`
	Size   int64  `json:"size,omitempty" doc:"Bytes."`
	Remote string `json:"remote,omitempty" doc:"Of a submodule: where a browser finds it."`
}

// LastCommits is which commits changed the entries of a folder last. GET …/tree/commits (repository:read).
type LastCommits struct {
	Entries  []LastCommit `json:"entries"`
	Commits  []Commit     `json:"commits" doc:"Those of the entries: hash, author, time and subject."`
	Complete bool         `json:"complete" doc:"Every entry has its commit; else the history was too long to be looked through."`
}

// LastCommit is the commit that changed an entry of a folder last.
type LastCommit struct {
	Name   string `json:"name" doc:"In the folder."`
	Commit string `json:"commit"`
}

// File is one file of a repository. GET /repositories/{namespace}/{name}/file (repository:read).
type File struct {
	Path     string `json:"path"`
	Text     string `json:"text,omitempty" doc:"Absent when it is not text, or too large."`
	Binary   bool   `json:"binary"`
	Size     int64  `json:"size" doc:"Bytes."`
	Hash     string `json:"hash" doc:"Of its content; the base of a change."`
	Mode     string `json:"mode" doc:"120000 is a link."`
	Target   string `json:"target,omitempty" doc:"Of a link: what it says. The text is that of the file that it leads to, when it is in the repository."`
	LFS      bool   `json:"lfs,omitempty" doc:"Git LFS keeps it; size and text are those of the file, not of its pointer."`
	TooLarge bool   `json:"tooLarge,omitempty" doc:"It is not shown; download it."`
}

// Paths are the files whose paths match a text, the best first. GET …/paths (repository:read).
type Paths struct {
	Paths []string `json:"paths"`
	More  bool     `json:"more" doc:"There are more, or not all were looked at."`
}

// Blame is who wrote the lines of a file. GET …/blame (repository:read).
type Blame struct {
	Commit  string      `json:"commit"`
	Path    string      `json:"path"`
	Hunks   []BlameHunk `json:"hunks" doc:"By line."`
	Commits []Commit    `json:"commits" doc:"Those of the hunks: hash, author, time and subject."`
}

// BlameHunk is a run of lines that one commit wrote.
type BlameHunk struct {
	Line       int    `json:"line" doc:"The first, from 1."`
	Lines      int    `json:"lines"`
	Commit     string `json:"commit"`
	Path       string `json:"path" doc:"Of the file in that commit."`
	From       int    `json:"from" doc:"The first of them in the file of that commit."`
	Before     string `json:"before,omitempty" doc:"The commit before that one; absent when the file began with it."`
	BeforePath string `json:"beforePath,omitempty" doc:"Of the file in the commit before."`
}

// Found is what a search found in the files of a repository. GET …/search (repository:read).
type Found struct {
	Items  []FoundFile `json:"items"`
	Next   string      `json:"next,omitempty" doc:"Cursor of the next page; absent at the end."`
	Commit string      `json:"commit" doc:"That was looked at."`
	Cut    string      `json:"cut,omitempty" enum:"time,matches" doc:"Why it ended before all was looked at."`
}

// FoundFile is what was found in one file.
type FoundFile struct {
	Path  string      `json:"path"`
	Lines []FoundLine `json:"lines"`
	More  bool        `json:"more,omitempty" doc:"It has more matches."`
}

// FoundLine is a line that matches, or one beside it.
type FoundLine struct {
	Line  int      `json:"line"`
	Text  string   `json:"text"`
	Match bool     `json:"match,omitempty"`
	Marks [][2]int `json:"marks,omitempty" doc:"Where it matches: from and to, in characters of the text."`
	Cut   bool     `json:"cut,omitempty" doc:"The text is a part of the line."`
}

// NewCommit is a change of files that is made without a clone: POST …/commits (repository:write, and that the rules let the
// caller push to the branch).
type NewCommit struct {
	Branch  string       `json:"branch,omitempty" maxLength:"250" doc:"Empty for the default one."`
	From    string       `json:"from,omitempty" maxLength:"250" doc:"Branch, tag or commit that the branch begins at, which must not exist then."`
	Message string       `json:"message" maxLength:"65536"`
	Changes []FileChange `json:"changes" maxItems:"100"`
}

// FileChange is what becomes of one file.
type FileChange struct {
	Path   string  `json:"path" maxLength:"1000"`
	Text   string  `json:"text,omitempty" maxLength:"5242880"`
	Bytes  []byte  `json:"bytes,omitempty" doc:"In place of the text, in Base64."`
	Mode   string  `json:"mode,omitempty" enum:"100644,100755,120000" doc:"Absent: what it has."`
	Delete bool    `json:"delete,omitempty"`
	Base   *string `json:"base,omitempty" maxLength:"64" doc:"Hash of the file that the change was made of, empty for one that is new: with another one there, nothing is changed (409). Absent: whatever is there."`
}

// Committed is a commit that was made.
type Committed struct {
	Commit string `json:"commit"`
	Branch string `json:"branch"`
}
