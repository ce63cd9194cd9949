-- The attempts that wait for their turn, and those whose answer is not known yet.

create index if not exists payments_queue on payments (queue_number)
  where queue_number is not null and status = 'creating';
