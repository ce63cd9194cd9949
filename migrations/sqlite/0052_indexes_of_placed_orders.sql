create index if not exists orders_placed on orders (due_at) where status = 'placed';
create index if not exists orders_placed_by_person on orders (person) where status = 'placed';
