-- An index of ours on River's table, which its own migrations don't know: whose a job is.
CREATE INDEX jobs_by_owner ON river_job ((metadata ->> 'owner')) WHERE metadata ->> 'owner' IS NOT NULL;
