import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const API = '/calendar/v3';
const CALENDAR = `${API}/calendars/{calendar}`;

export const googleCalendar: TemplateInput = {
  name: 'google-calendar',
  version: 1,
  provider: 'google-calendar',
  title: 'Google Calendar API',
  description:
    'Whether guests get mail stands in the query (sendUpdates), whom a calendar is shared with in the body (scope.type default is ' +
    'everybody). Too much is told by 429, or by 403 with rateLimitExceeded or quotaExceeded in the body, which no status or header ' +
    'tells from another 403; neither says when to come back. For /batch the base URL must be https://www.googleapis.com.',
  sources: [
    'https://developers.google.com/workspace/calendar/api/v3/reference',
    'https://developers.google.com/workspace/calendar/api/v3/reference/acl',
    'https://developers.google.com/workspace/calendar/api/guides/errors',
    'https://developers.google.com/workspace/calendar/api/guides/batch',
    'https://developers.google.com/workspace/calendar/api/guides/push',
    'https://developers.google.com/workspace/calendar/api/auth',
  ],
  baseUrl: 'https://www.googleapis.com/calendar/v3',
  hosts: ['www.googleapis.com'],
  credential: {
    type: 'oauth2_refresh',
    hint: 'tokenUrl https://oauth2.googleapis.com/token; scope calendar.events or calendar.readonly. A service account: jwt_bearer',
  },
  actions: [
    {
      name: 'calendars.read',
      methods: READ,
      paths: [CALENDAR, `${API}/users/me/calendarList/**`, `${API}/users/me/settings/**`, `${API}/colors`],
      risk: 'low',
    },
    { name: 'events.read', methods: READ, paths: [`${CALENDAR}/events/**`], risk: 'low' },
    { name: 'freebusy.read', methods: ['POST'], paths: [`${API}/freeBusy`], risk: 'low' },
    { name: 'acl.read', methods: READ, paths: [`${CALENDAR}/acl/**`], risk: 'medium' },
    {
      name: 'events.create',
      methods: ['POST'],
      paths: [`${CALENDAR}/events`, `${CALENDAR}/events/quickAdd`],
      risk: 'medium',
    },
    // Needs no invitation and asks nobody.
    { name: 'events.import', methods: ['POST'], paths: [`${CALENDAR}/events/import`], risk: 'high' },
    { name: 'events.update', methods: ['PUT', 'PATCH'], paths: [`${CALENDAR}/events/{event}`], risk: 'medium' },
    { name: 'events.move', methods: ['POST'], paths: [`${CALENDAR}/events/{event}/move`], risk: 'high' },
    { name: 'events.delete', methods: ['DELETE'], paths: [`${CALENDAR}/events/{event}`], risk: 'high' },
    { name: 'calendars.create', methods: ['POST'], paths: [`${API}/calendars`], risk: 'medium' },
    { name: 'calendars.update', methods: ['PUT', 'PATCH'], paths: [CALENDAR], risk: 'medium' },
    {
      name: 'calendars.delete',
      methods: ['DELETE'],
      paths: [CALENDAR, `${CALENDAR}/`],
      risk: 'high',
      approval: 'required',
    },
    // Deletes every event of the primary calendar.
    { name: 'calendars.clear', methods: ['POST'], paths: [`${CALENDAR}/clear/**`], risk: 'high', approval: 'required' },
    // Shares a calendar, also with everybody.
    { name: 'acl.write', methods: WRITE, paths: [`${CALENDAR}/acl/**`], risk: 'high', approval: 'required' },
    {
      name: 'calendars.transfer',
      methods: ['POST'],
      paths: [`${CALENDAR}/transferOwnership/**`],
      risk: 'high',
      approval: 'required',
    },
    { name: 'subscriptions.add', methods: ['POST'], paths: [`${API}/users/me/calendarList`], risk: 'medium' },
    {
      name: 'subscriptions.update',
      methods: ['PUT', 'PATCH', 'DELETE'],
      paths: [`${API}/users/me/calendarList/{calendar}`],
      risk: 'medium',
    },
    // Tells another server of every change.
    {
      name: 'channels.write',
      methods: ['POST'],
      paths: [
        `${CALENDAR}/events/watch`,
        `${CALENDAR}/events/watch/`,
        `${CALENDAR}/acl/watch`,
        `${CALENDAR}/acl/watch/`,
        `${API}/users/me/calendarList/watch`,
        `${API}/users/me/calendarList/watch/`,
        `${API}/users/me/settings/watch/**`,
        `${API}/channels/stop/**`,
      ],
      risk: 'high',
      approval: 'required',
    },
    // Carries further calls in its body.
    { name: 'batch', methods: WRITE, paths: ['/batch/**'], risk: 'high', approval: 'required' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } }],
};
