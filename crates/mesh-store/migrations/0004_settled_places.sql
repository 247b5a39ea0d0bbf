create table blvm_mesh.settled_place (
    payee_key bytea primary key check (octet_length(payee_key) = 33),
    place     bigint not null check (place >= 0)
);
comment on table blvm_mesh.settled_place is 'For each Lightning wallet, by the key that signs its invoices: up to which place of its list of settled invoices all is credited.';

comment on column blvm_mesh.claim.by is 'The packet that claimed it; that one may ask again. Zeros while no packet has shown it and the wallet''s word alone credited it.';
