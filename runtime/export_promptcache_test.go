package runtime

// Restore makes what a prompt cache knows of the beginning of ids the session's, and
// returns the number of positions.
func (s *Session) Restore(p *PromptCache, ids []int32) int {
	s.end = p.Load(s.cache, ids, s.block)
	return s.end
}

// Keep puts what the session has from position from on into a prompt cache.
func (s *Session) Keep(p *PromptCache, ids []int32, from int) {
	p.Save(s.cache, ids, s.block, from)
}

// Cache returns the session's cache.
func (s *Session) Cache() *Cache { return s.cache }

// Root returns the key that all of a cache's keys follow from.
func (p *PromptCache) Root(cache *Cache, block int) string { return p.root(cache, block).String() }

// Data returns the bytes of keys and values of a head of a layer.
func (c *Cache) Data(layer, head int) (k, v []byte) {
	km, vm := c.head(layer, head)
	return km.Data, vm.Data
}
