create index if not exists offers_of_variant on offers (variant);
