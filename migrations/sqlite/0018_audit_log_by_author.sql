-- The erasure of a user's data looks for what the user did as a member of the team; it read the whole audit log.

create index audit_log_by_author on audit_log (by_user);
