package database

// Kept returns how many statements a connection of the writer keeps.
func Kept(conn any) int { return len(conn.(*keepingConn).kept) }

const MostKept = mostKept
