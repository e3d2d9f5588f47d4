export { approvalEvent } from './approvals/approval-event.ts';
export { createEventHub, type EventHub, type LiveEvent } from './events/event-hub.ts';
