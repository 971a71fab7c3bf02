package lfs

import "time"

// Patient gives c with another time in which something must move.
func (c *Client) Patient(stall time.Duration) *Client {
	other := *c
	other.stall = stall
	return &other
}
