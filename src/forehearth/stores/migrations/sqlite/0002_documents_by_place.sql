-- Pages of a place without those of all others: an index ends with the sequence, in the order of which it is read.

CREATE INDEX documents_by_place ON documents (resource, project, agent, kind);
