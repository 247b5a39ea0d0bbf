create table blvm_mesh.payment (
    serial       bigint generated always as identity primary key,
    at           bigint not null,
    payee        bytea not null check (octet_length(payee) = 32),
    payment_hash bytea not null check (octet_length(payment_hash) = 32),
    amount       bigint not null check (amount >= 0),
    fee          bigint not null check (fee >= 0),
    outcome      smallint not null check (outcome between 0 and 2),
    known_at     bigint not null,
    reason       smallint not null check (reason between 0 and 2),
    sequence     bigint not null,
    route        bytea not null
);
create unique index payment_under_way on blvm_mesh.payment (payment_hash) where outcome = 0;
comment on table blvm_mesh.payment is 'What this node has paid to others, and for what. Whoever changes one has locked the node''s row.';
comment on column blvm_mesh.payment.outcome is '0 not known, 1 paid, 2 failed.';
comment on column blvm_mesh.payment.fee is 'What routing cost; the most that it may while the outcome is not known.';
comment on column blvm_mesh.payment.reason is '0 by hand, 1 for a packet, 2 to have credit before it runs out.';
comment on column blvm_mesh.payment.route is 'The nodes of the route that it was for, 32 bytes each.';

create table blvm_mesh.spent (
    day             bigint not null,
    payee           bytea not null check (octet_length(payee) = 32),
    payments        bigint not null check (payments >= folded_payments),
    amount          bigint not null check (amount >= folded_amount),
    fee             bigint not null check (fee >= folded_fee),
    folded_payments bigint not null default 0 check (folded_payments >= 0),
    folded_amount   bigint not null default 0 check (folded_amount >= 0),
    folded_fee      bigint not null default 0 check (folded_fee >= 0),
    primary key (day, payee)
);
comment on table blvm_mesh.spent is 'Sums of payments that were made or may still be, by day (UTC) and payee; folded is the part whose payments have no rows any more.';
