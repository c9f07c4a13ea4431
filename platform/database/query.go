package database

import (
	"strings"
	"time"

	"gorm.io/gorm"
)

// Row is one row of an answer.
type Row interface {
	// Scan copies the columns, in the order of the SELECT, to where the pointers lead.
	Scan(columns ...any) error
}

// One returns what scan makes of the query's first row, and gorm.ErrRecordNotFound if there is none. Other errors are
// classified.
//
// GORM fills structs by reflection, and builds its SQL anew every time. Measured on PostgreSQL, in µs of our processor
// (median of seven runs): one row takes 79 by Take, 51 by Read(ctx).Raw(...) and One, 45 by plain database/sql; a page of
// 21 rows takes 182 by Find, 107 by All, 94 by database/sql. So what every request reads is written out in SQL.
func One[T any](query *gorm.DB, scan func(Row) (T, error)) (T, error) {
	found, err := All(query, scan)
	if err != nil || len(found) == 0 {
		var none T
		if err == nil {
			err = gorm.ErrRecordNotFound
		}
		return none, err
	}
	return found[0], nil
}

// All returns what scan makes of each of the query's rows. Errors are classified.
func All[T any](query *gorm.DB, scan func(Row) (T, error)) ([]T, error) {
	rows, err := query.Rows()
	if err != nil {
		return nil, Classify(err)
	}
	defer func() { _ = rows.Close() }() // what went wrong while reading is in rows.Err

	var found []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, Classify(err)
		}
		found = append(found, one)
	}
	return found, Classify(rows.Err())
}

// Scalar scans the only column of a row, for One and All: a count, a list of ids.
func Scalar[T any](row Row) (T, error) {
	var value T
	err := row.Scan(&value)
	return value, err
}

// Containing returns the pattern of a text anywhere in a column, for LIKE ? ESCAPE '\'. What LIKE gives a meaning has none.
func Containing(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// InUTC returns a time that was scanned as it is used everywhere else, nil for null: PostgreSQL's driver gives it the machine's zone.
func InUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	return new(at.UTC())
}
