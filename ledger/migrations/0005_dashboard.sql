-- Views for dashboards: the program makes them over its read models (projections/dashboard), and those of the role
-- servicetrail_dashboard may read them and nothing else. The program grants that whenever it makes the views.
CREATE SCHEMA dashboard AUTHORIZATION servicetrail_writer;
