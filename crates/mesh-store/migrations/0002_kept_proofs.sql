create table blvm_mesh.kept_proof (
    serial bigint generated always as identity primary key,
    payee  bytea not null check (octet_length(payee) = 32),
    proof  bytea not null,
    digest bytea not null generated always as (sha256(proof)) stored,
    unique (payee, digest)
);
comment on table blvm_mesh.kept_proof is 'Proofs of payments that this node has made and not yet shown.';
