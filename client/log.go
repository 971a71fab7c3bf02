package client

// LogChunk is a piece of a step's log.
type LogChunk struct {
	Offset int64  `json:"offset" doc:"Bytes before this piece."`
	Text   string `json:"text"`
}

// LogEnd says that the log is complete.
type LogEnd struct {
	Size int64 `json:"size" doc:"Bytes in all."`
}
