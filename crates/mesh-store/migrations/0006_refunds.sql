create table blvm_mesh.refund (
    payment_hash bytea primary key check (octet_length(payment_hash) = 32),
    payer        bytea not null references blvm_mesh.account (payer),
    at           bigint not null check (at >= 0),
    amount       bigint not null check (amount between 0 and 2100000000000000000),
    fee          bigint not null check (fee between 0 and 2100000000000000000),
    outcome      smallint not null check (outcome between 0 and 2),
    known_at     bigint not null check (known_at >= 0),
    invoice      text not null
);
create index refund_under_way on blvm_mesh.refund (payment_hash) where outcome = 0;
comment on table blvm_mesh.refund is 'Balances that their payers asked to have back, for ever: one payment hash is paid once. Whoever changes one has locked this table, then its payer''s account.';
comment on column blvm_mesh.refund.fee is 'What routing cost; the most that it may while the outcome is not known.';
comment on column blvm_mesh.refund.outcome is '0 not known, 1 paid, 2 failed.';
comment on column blvm_mesh.refund.invoice is 'The payer''s invoice while the outcome is not known; empty afterwards.';

alter table blvm_mesh.account
    add column refunded bigint not null default 0 check (refunded >= 0),
    drop constraint nothing_is_made_or_lost,
    add constraint nothing_is_made_or_lost check (credit = deposited - earned - refunded);
comment on column blvm_mesh.account.refunded is 'What refunds have taken: the sum of amounts and fees of those that have not failed.';
