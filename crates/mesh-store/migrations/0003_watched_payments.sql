create table blvm_mesh.watched (
    key     bytea primary key check (octet_length(key) = 32),
    payer   bytea not null references blvm_mesh.account (payer),
    amount  bigint not null check (amount between 0 and 2100000000000000000),
    tx_hash bytea not null check (octet_length(tx_hash) = 32),
    frozen  boolean not null default false
);
comment on table blvm_mesh.watched is 'Payments on the chain that a change of it can still undo. Whoever changes one has locked its payer''s account.';
comment on column blvm_mesh.watched.tx_hash is 'The transaction that has to stay in the chain, in internal byte order.';
comment on column blvm_mesh.watched.frozen is 'Whether the transaction was not in the chain when a gateway last looked.';

alter table blvm_mesh.account add column frozen bigint not null default 0 check (frozen >= 0);
comment on column blvm_mesh.account.frozen is 'What nobody draws: the sum of its watched payments that are frozen. More than the credit when some of it was spent before.';
