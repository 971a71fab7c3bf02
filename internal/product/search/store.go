package search

import (
	"sync"
)

// shelf is what this server knows of the sites of docs: whose they are, and in which repositories. It is in memory, as the
// index is.
type shelf struct {
	mu           sync.RWMutex
	sites        map[string]Site
	repositories map[string]Repository // by id; one that is gone is not there
}

// Site is a site of docs with pages.
type Site struct {
	ID         string
	Repository string // id
	Entities   []Entity
}

// Entity is an entity whose docs a site is.
type Entity struct{ Ref, Space string }

// Section is a part of a page.
type Section struct {
	Number  int    // within the site
	Path    string // of the page
	Title   string // of the page
	Anchor  string // "" for what is in front of the first heading
	Heading string
	Text    string
}

// Repository is what of a repository tells who may read it.
type Repository struct{ ID, Name, Space string }

func (s *shelf) put(site Site, repository *Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sites[site.ID] = site
	if repository != nil {
		s.repositories[site.Repository] = *repository
	}
}

func (s *shelf) forget(site string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sites, site)
}

// set notes what a repository is now; nil when it is gone.
func (s *shelf) set(id string, repository *Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repositories, id)
	if repository != nil {
		s.repositories[id] = *repository
	}
}

// known gives the ids of the repositories that have one of some names, and of those that no name is known of.
func (s *shelf) known(names map[string]bool) (ids []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	seen := map[string]bool{}
	for _, site := range s.sites {
		r, here := s.repositories[site.Repository]
		if !seen[site.Repository] && (!here || names[r.Name]) {
			ids = append(ids, site.Repository)
		}
		seen[site.Repository] = true
	}
	return ids
}

// of gives the sites in a repository.
func (s *shelf) of(repository string) (sites []Site) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, site := range s.sites {
		if site.Repository == repository {
			sites = append(sites, site)
		}
	}
	return sites
}

// reader tells which sites somebody may see, while the shelf is held.
type reader struct {
	*shelf
	entity func(space string) bool
	read   func(Repository) bool
	asked  map[string]bool // by the repository's id
}

func (r *reader) sees(site string) bool {
	s, ok := r.sites[site]
	if !ok {
		return false
	}
	repository, ok := r.repositories[s.Repository]
	if !ok {
		return false
	}
	may, asked := r.asked[s.Repository]
	if !asked {
		may = r.read(repository)
		r.asked[s.Repository] = may
	}
	if !may {
		return false
	}
	for _, e := range s.Entities {
		if r.entity(e.Space) {
			return true
		}
	}
	return false
}

// has tells whether a site is the docs of an entity that is seen and wanted.
func (r *reader) has(site string, wanted func(name string) bool) bool {
	for _, e := range r.sites[site].Entities {
		if wanted(e.Ref) && r.entity(e.Space) {
			return true
		}
	}
	return false
}
