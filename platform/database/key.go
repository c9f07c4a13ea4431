package database

import (
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Key is a text column that is compared and sorted by its bytes on both engines, as SQLite always does. PostgreSQL
// would otherwise use the database's language, which orders differently on every machine. Use it for ids and for
// folded texts.
type Key string

// GormDBDataType returns the column's type.
func (Key) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == string(Postgres) {
		return `text COLLATE "C"`
	}
	return "text"
}
