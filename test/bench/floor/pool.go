package floor

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// OpenPool connects to PostgreSQL with the product's number of connections and time zone.
func OpenPool(ctx context.Context, url string, size int) (*pgxpool.Pool, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	conf.MaxConns = int32(size)
	conf.ConnConfig.RuntimeParams["timezone"] = "UTC"
	return pgxpool.NewWithConfig(ctx, conf)
}
