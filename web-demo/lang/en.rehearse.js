// English: the rehearsal.

export default {
  'rehearse': 'Rehearse', 'rehearse.about': 'Simulated viewers come, talk and buy in a room made for this alone. Nobody else sees it, and your stock is not touched.',
  'rehearse.viewers': 'Viewers, 1 to 200', 'rehearse.seconds': 'Seconds, 24 to 90', 'rehearse.begin': 'Begin the rehearsal', 'rehearse.stop': 'Stop the rehearsal',
  'rehearse.time': 'Time', 'rehearse.connected': 'Connected', 'rehearse.messages': 'Messages', 'rehearse.orders': 'Orders held', 'rehearse.delivery': 'Delivery p99', 'rehearse.s': '{n} s', 'rehearse.ms': '{n} ms', 'rehearse.of': '{n} of {all}',
  'rehearse.is_running': 'The rehearsal is running.', 'rehearse.is_passed': 'Passed: every check held.', 'rehearse.is_failed': 'Failed.', 'rehearse.is_stopped': 'Stopped.',
};
