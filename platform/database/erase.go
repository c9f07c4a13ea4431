package database

import "context"

// Erase deletes every row of the tables whose column names the owner, in the transaction that ctx carries, and returns how many
// rows of which table that was. The names are the caller's own, never somebody's input.
func (db *DB) Erase(ctx context.Context, column, owner string, tables ...string) (map[string]int64, error) {
	erased := make(map[string]int64, len(tables))
	for _, table := range tables {
		done := db.Tx(ctx).Exec("DELETE FROM "+table+" WHERE "+column+" = ?", owner)
		if done.Error != nil {
			return nil, Classify(done.Error)
		}
		erased[table] = done.RowsAffected
	}
	return erased, nil
}
