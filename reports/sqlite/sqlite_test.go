// Package sqlite_test loads what reports writes as SQL into SQLite. It is a package of its
// own since fuzz tests beside it would have the whole database built for them.
package sqlite_test

import (
	"database/sql"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// The file is what reports.TestBenchGolden holds the writer against.
func TestBenchSQL(t *testing.T) {
	statements, err := os.ReadFile("../testdata/bench.sql")
	require.NoError(t, err)
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1) // each has its own memory
	for range 2 {         // twice into one table
		_, err = db.Exec(string(statements))
		require.NoError(t, err)
	}
	var n int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM llada_bench").Scan(&n))
	assert.Equal(t, 10, n)
	var tps, share float64
	var ns int64
	require.NoError(t, db.QueryRow(`SELECT avg_ts, avg_ns, memory_share FROM llada_bench WHERE test = 'pp512'`).Scan(&tps, &ns, &share))
	assert.Equal(t, 301.234, tps)
	assert.Equal(t, int64(171_000_000), ns)
	assert.Equal(t, 0.78, share)
	require.NoError(t, db.QueryRow(`SELECT json_extract(samples_ns, '$[2]') FROM llada_bench WHERE test = 'pp512'`).Scan(&ns))
	assert.Equal(t, int64(173_000_000), ns)
	var typ, name string
	require.NoError(t, db.QueryRow(`SELECT model_type, test FROM llada_bench WHERE kind = 'process'`).Scan(&typ, &name))
	assert.Equal(t, "a|b\\|c`d`'e''f\"g\"<b>&amp;*h*\r\n-- i; DROP TABLE llada_bench;\x1b[31m\ufffd\t é世界 [j](k)", typ)
	assert.Equal(t, "cmd'1'", name)
}
