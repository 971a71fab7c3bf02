package index

import "slices"

const rankMost = 512

// ranking is a sorted list of ids in short pieces, so that a change moves little.
type ranking struct {
	pieces [][]uint32
	order  func(a, b uint32) int
}

// newRanking takes ids that are sorted.
func newRanking(ids []uint32, order func(a, b uint32) int) *ranking {
	r := &ranking{order: order}
	for piece := range slices.Chunk(ids, rankMost/2) {
		r.pieces = append(r.pieces, slices.Clone(piece))
	}
	return r
}

// place finds where in the list is the first item for which past is true, which is false before and true after some place.
func (r *ranking) place(past func(id uint32) bool) (piece, at int) {
	piece, _ = slices.BinarySearchFunc(r.pieces, 0, func(p []uint32, _ int) int { return before(past(p[len(p)-1])) })
	if piece == len(r.pieces) {
		return piece, 0
	}
	at, _ = slices.BinarySearchFunc(r.pieces[piece], 0, func(id uint32, _ int) int { return before(past(id)) })
	return piece, at
}

func before(past bool) int {
	if past {
		return 1
	}
	return -1
}

func (r *ranking) insert(id uint32) {
	piece, at := r.place(func(other uint32) bool { return r.order(other, id) >= 0 })
	switch {
	case len(r.pieces) == 0:
		r.pieces = [][]uint32{{id}}
		return
	case piece == len(r.pieces):
		piece--
		at = len(r.pieces[piece])
	}
	p := slices.Insert(r.pieces[piece], at, id)
	r.pieces[piece] = p
	if len(p) > rankMost {
		half := len(p) / 2
		r.pieces = slices.Insert(r.pieces, piece+1, slices.Clone(p[half:]))
		r.pieces[piece] = p[:half]
	}
}

func (r *ranking) remove(id uint32) {
	piece, at := r.place(func(other uint32) bool { return r.order(other, id) >= 0 })
	if piece == len(r.pieces) || r.pieces[piece][at] != id {
		return
	}
	p := slices.Delete(r.pieces[piece], at, at+1)
	if r.pieces[piece] = p; len(p) == 0 {
		r.pieces = slices.Delete(r.pieces, piece, piece+1)
	}
}

// walk gives the items from a place on, forwards, or backwards from the one before it, until fn gives false.
func (r *ranking) walk(piece, at int, back bool, fn func(id uint32) bool) {
	if back {
		for {
			for at--; at >= 0; at-- {
				if !fn(r.pieces[piece][at]) {
					return
				}
			}
			if piece--; piece < 0 {
				return
			}
			at = len(r.pieces[piece])
		}
	}
	for ; piece < len(r.pieces); piece++ {
		for ; at < len(r.pieces[piece]); at++ {
			if !fn(r.pieces[piece][at]) {
				return
			}
		}
		at = 0
	}
}
