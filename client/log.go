package client

// LogChunk is a piece of a step's log, as Client.FollowLog reads it. GET /runs/{id}/steps/{step}/log gives the log so far
// as plain text (run:read and run:log).
type LogChunk struct {
	Attempt int    `json:"attempt" doc:"Whose log it is: whoever follows the newest attempt is told of the next one from its beginning."`
	Offset  int64  `json:"offset" doc:"Bytes before this piece."`
	Next    int64  `json:"next" doc:"Bytes with this piece; where to go on. The text may have other bytes than the log, where that is no UTF-8."`
	Text    string `json:"text"`
}

// LogEnd says that the log is complete.
type LogEnd struct {
	Size int64 `json:"size" doc:"Bytes in all."`
}
