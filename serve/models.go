package serve

import (
	"net/http"

	"lladakit/runtime"
)

// modelEntry is the model as a client sees it.
type modelEntry struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Created int64     `json:"created"` // when the server was started
	OwnedBy string    `json:"owned_by"`
	LLaDA   modelInfo `json:"llada"`
}

// modelInfo says how the model may be asked.
type modelInfo struct {
	Type        string            `json:"type"`         // of its weights
	Context     int               `json:"context"`      // positions for prompt and answer
	BlockLength int               `json:"block_length"` // recommended
	Settings    runtime.Options   `json:"settings"`     // recommended
	Policies    []policyInfo      `json:"policies"`
	Profiles    []runtime.Profile `json:"profiles"`
}

type policyInfo struct {
	Name  string        `json:"name"`
	Class runtime.Class `json:"class"`
	About string        `json:"about"`
}

// entry returns the model's entry in lists.
func (s *Server) entry() modelEntry {
	m := s.model
	e := modelEntry{ID: s.opt.Name, Object: "model", Created: s.started.Unix(), OwnedBy: "llada", LLaDA: modelInfo{
		Type: m.FileType(), Context: m.Config.Context, BlockLength: m.Config.BlockLength, Settings: m.Defaults(), Profiles: profiles(),
	}}
	for _, p := range runtime.Policies() {
		e.LLaDA.Policies = append(e.LLaDA.Policies, policyInfo{p.Name, p.Class, p.About})
	}
	return e
}

// models is GET /v1/models.
func (s *Server) models(x *exchange, r *http.Request) error {
	return x.json(http.StatusOK, map[string]any{"object": "list", "data": []modelEntry{s.entry()}})
}

// modelByID is GET /v1/models/{id}.
func (s *Server) modelByID(x *exchange, r *http.Request) error {
	if id := r.PathValue("id"); id != s.opt.Name {
		return s.noModel(id)
	}
	return x.json(http.StatusOK, s.entry())
}

// noModel is the error about a name that no model has.
func (s *Server) noModel(name string) error {
	e := refused(http.StatusNotFound, "model_not_found", "there is no model %.60q here, only %q", name, s.opt.Name)
	e.Param = "model"
	return e
}

// health is GET /health.
func (s *Server) health(x *exchange, r *http.Request) error {
	if s.closing.Load() {
		return ErrClosed
	}
	if err := s.engine.err(); err != nil {
		e := asAPI(err)
		e.Status = http.StatusServiceUnavailable
		return e
	}
	return x.json(http.StatusOK, map[string]string{"status": "ok"})
}
