package serve

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openAI installs OpenAI's library for Node.js beside the program in testdata/client, and
// returns the folder. Without LLADA_TEST_FULL, Node.js, or a registry, the test is skipped.
func openAI(t *testing.T) string {
	t.Helper()
	if os.Getenv("LLADA_TEST_FULL") == "" {
		t.Skip("LLADA_TEST_FULL is not set")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "client"))))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=1")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the library cannot be had: %v: %s", err, out)
	}
	return dir
}

// An unmodified client library chats, streams, sees errors for what they are, and stops.
func TestOpenAIClient(t *testing.T) {
	dir := openAI(t)
	v := serveTiny(t, EngineOptions{}, Options{Key: "secret"})
	busy := httptest.NewServer(refusing(t, Options{}, ErrBusy, says))
	defer busy.Close()
	stopped := make(chan error, 1)
	endless := httptest.NewServer(playing(t, Options{}, func(ctx context.Context, r Request, emit func(Event)) {
		emit(Event{Text: "on and on"})
		waits(ctx, r, emit)
		stopped <- ctx.Err()
	}))
	defer endless.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client := exec.CommandContext(ctx, "node", "chat.mjs", "secret", v.url, busy.URL, endless.URL)
	client.Dir = dir
	client.Stderr = os.Stderr
	out, err := client.Output()
	require.NoError(t, err, "%s", out)

	type text struct {
		Text, Role, Finish string
		Steps              int
		Usage              *usage
	}
	type failure struct {
		Class                    string
		Status                   int
		Code, Param, Type, Retry string
	}
	var seen struct {
		Chat, Stream, Final, CompletionStream text
		Completion                            struct {
			Object string
			Total  int
		}
		Models  []string
		Model   int
		Errors  map[string]failure
		Aborted struct{ Chunks int }
	}
	require.NoError(t, json.Unmarshal(out, &seen), "%s", out)

	assert.NotEmpty(t, seen.Chat.Text)
	assert.Equal(t, "assistant", seen.Chat.Role)
	assert.Equal(t, "stop", seen.Chat.Finish)
	assert.Positive(t, seen.Chat.Usage.Forwards.Denoise)
	assert.Positive(t, seen.Chat.Usage.TokensPerForward)
	assert.Equal(t, seen.Chat.Text, seen.Stream.Text)
	assert.Equal(t, seen.Chat.Finish, seen.Stream.Finish)
	assert.Equal(t, seen.Chat.Usage, seen.Stream.Usage)
	assert.Positive(t, seen.Stream.Steps)
	assert.Equal(t, seen.Chat.Text, seen.Final.Text)
	assert.Equal(t, "text_completion", seen.Completion.Object)
	assert.GreaterOrEqual(t, seen.Completion.Total, 3)
	assert.Contains(t, []string{"stop", "length"}, seen.CompletionStream.Finish)
	assert.Equal(t, []string{"tiny"}, seen.Models)
	assert.Equal(t, v.model.Config.BlockLength, seen.Model)
	assert.Equal(t, map[string]failure{
		"key":      {"AuthenticationError", 401, "invalid_api_key", "", "invalid_request_error", ""},
		"setting":  {"BadRequestError", 400, "", "threshold", "invalid_request_error", ""},
		"misspelt": {"BadRequestError", 400, "", "treshold", "invalid_request_error", ""},
		"tools":    {"BadRequestError", 400, "", "tools", "invalid_request_error", ""},
		"model":    {"NotFoundError", 404, "model_not_found", "model", "invalid_request_error", ""},
		"busy":     {"RateLimitError", 429, "queue_full", "", "rate_limit_error", "1"},
	}, seen.Errors)
	assert.Equal(t, 2, seen.Aborted.Chunks)
	assert.ErrorIs(t, <-stopped, context.Canceled, "the server has noticed")
}
