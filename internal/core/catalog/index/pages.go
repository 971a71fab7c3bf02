package index

const pageSize = 4096

// pages is a list that grows without moving what is in it, so that no change of the index waits for a large copy.
type pages[T any] struct {
	list []*[pageSize]T
	n    uint32
	free []uint32
}

func (p *pages[T]) at(i uint32) *T { return &p.list[i/pageSize][i%pageSize] }

// take gives the place of a new item, which is zero.
func (p *pages[T]) take() uint32 {
	if last := len(p.free) - 1; last >= 0 {
		i := p.free[last]
		p.free = p.free[:last]
		return i
	}
	if p.n%pageSize == 0 {
		p.list = append(p.list, new([pageSize]T))
	}
	p.n++
	return p.n - 1
}

// give makes a place free for another item.
func (p *pages[T]) give(i uint32) {
	var zero T
	*p.at(i) = zero
	p.free = append(p.free, i)
}
