-- The ledger of one mesh node, shared by all of its gateways. Amounts are millisatoshi, times are milliseconds since the
-- Unix epoch. 2100000000000000000 msat is all the Bitcoin that there will be.

create table blvm_mesh.node (
    one           boolean primary key default true check (one),
    identity      bytea check (octet_length(identity) = 32),
    next_sequence bigint not null default 0 check (next_sequence >= 0),
    swept_at      bigint not null default 0 check (swept_at >= 0)
);
insert into blvm_mesh.node default values;
comment on table blvm_mesh.node is 'What makes the node itself; one row.';
comment on column blvm_mesh.node.identity is 'The secret key.';
comment on column blvm_mesh.node.next_sequence is 'The first packet number that no gateway has reserved.';
comment on column blvm_mesh.node.swept_at is 'Claims that had ended by this time may have been forgotten.';

create table blvm_mesh.claim (
    key        bytea primary key check (octet_length(key) = 32),
    by         bytea not null check (octet_length(by) = 16),
    expires_at bigint not null check (expires_at >= 0)
);
create index claim_expires_at on blvm_mesh.claim (expires_at);
comment on table blvm_mesh.claim is 'Payments that were claimed, until nobody can show them any more. The primary key makes a second claim impossible.';
comment on column blvm_mesh.claim.by is 'The packet that claimed it; that one may ask again.';

create table blvm_mesh.account (
    payer     bytea primary key check (octet_length(payer) = 32),
    deposited bigint not null default 0 check (deposited >= 0),
    credit    bigint not null default 0 check (credit between 0 and 2100000000000000000),
    drawn     bigint not null default 0,
    earned    bigint not null default 0 check (earned >= 0),
    deposits  bigint not null default 0 check (deposits >= 0),
    packets   bigint not null default 0 check (packets >= 0),
    constraint nothing_is_made_or_lost check (credit = deposited - earned),
    constraint nothing_is_drawn_that_is_not_there check (drawn between 0 and credit)
) with (fillfactor = 70);
comment on table blvm_mesh.account is 'What each payer has brought, has left and has spent, in sums.';
comment on column blvm_mesh.account.credit is 'What is not spent, drawn or not.';
comment on column blvm_mesh.account.drawn is 'What of it is in the hands of gateways; the sum of its purses.';

create table blvm_mesh.deposit (
    serial bigint generated always as identity primary key,
    at     bigint not null check (at >= 0),
    payer  bytea not null check (octet_length(payer) = 32),
    amount bigint not null check (amount between 0 and 2100000000000000000),
    key    bytea not null check (octet_length(key) = 32)
);
comment on table blvm_mesh.deposit is 'Journal: every payment that was claimed, for ever. Serials rise; some may be missing.';

create table blvm_mesh.debit (
    period  bigint not null check (period >= 0),
    payer   bytea not null check (octet_length(payer) = 32),
    amount  bigint not null check (amount >= 0),
    packets bigint not null check (packets >= 0),
    primary key (period, payer)
) with (fillfactor = 70);
comment on table blvm_mesh.debit is 'Journal: what each payer spent in each hour.';

create table blvm_mesh.gateway (
    run        integer primary key check (run > 0),
    serial     bigint not null default 0 check (serial >= 0),
    started_at timestamptz not null default now()
);
comment on table blvm_mesh.gateway is 'Processes that may have drawn credit. Each holds an advisory lock on its run as long as it lives.';
comment on column blvm_mesh.gateway.serial is 'Counts its transactions, so that it can tell afterwards whether one was committed.';

create table blvm_mesh.purse (
    run    integer not null references blvm_mesh.gateway (run) on delete cascade,
    payer  bytea not null references blvm_mesh.account (payer),
    amount bigint not null check (amount > 0),
    primary key (run, payer)
) with (fillfactor = 70);
create index purse_payer on blvm_mesh.purse (payer);
comment on table blvm_mesh.purse is 'Credit in the hands of a gateway. It goes back to the account when the gateway dies.';

-- Not logged, so that it is empty after the server has crashed: a free lock then does not mean that its owner is dead.
create unlogged table blvm_mesh.session (
    run    integer primary key,
    server timestamptz not null
);
comment on table blvm_mesh.session is 'Gateways that have connected to the server since it started at the time given.';
