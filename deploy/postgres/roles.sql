-- The two roles and the database of Postern, for psql 15 or later, run once by a superuser:
--   POSTERN_DB_OWNER_PASSWORD=… POSTERN_DB_PASSWORD=… psql -v ON_ERROR_STOP=1 -f roles.sql
-- The owner migrates. The gateways connect as the other, which owns nothing and cannot pass by row-level security.
\getenv owner_password POSTERN_DB_OWNER_PASSWORD
\getenv password POSTERN_DB_PASSWORD

create role postern_owner login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'owner_password';
create role postern login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'password';

create database postern owner postern_owner template template0 encoding 'UTF8';
revoke all on database postern from public;
grant connect on database postern to postern;
