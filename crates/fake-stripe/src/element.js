// Replaces the card form and the express buttons of Stripe in tests: one field for the number of a test card, and a button of a wallet
// in browsers that have one. It is served by the provider of the tests, as the original is served by Stripe, and hands out the same kind of
// token. What the original refuses, it refuses too.
{
  const base = new URL(document.currentScript.src).origin;
  // A browser has a wallet when a test has put the number of its card here.
  const walletCard = () => localStorage.getItem('fake-stripe.wallet');
  const PRESS_MS = 1000;

  const el = (tag, test, text = '') => {
    const node = document.createElement(tag);
    node.dataset.test = test;
    node.textContent = text;
    return node;
  };

  const cardElement = (options) => {
    const { applePay = 'auto', googlePay = 'auto' } = options.wallets ?? {};
    if (![applePay, googlePay].every((choice) => ['auto', 'never'].includes(choice))) throw new Error('wallets');
    const listeners = {};
    const field = el('input', 'card-number');
    field.inputMode = 'numeric';
    field.setAttribute('aria-label', 'Card number');
    const fault = el('p', 'card-fault');
    fault.setAttribute('role', 'alert');
    return {
      field,
      fault,
      on: (event, done) => (listeners[event] = done),
      mount(node) {
        node.replaceChildren(field, fault);
        listeners.ready?.({});
      },
      unmount() {
        field.remove();
        fault.remove();
      },
    };
  };

  // The window of the wallet: what is paid for, the total, consent or not.
  const walletWindow = (group, { lineItems = [] }, listeners) => {
    const sum = lineItems.reduce((sum, { name, amount }) => {
      if (typeof name !== 'string' || !Number.isInteger(amount)) throw new Error('lineItems need a name and an amount in the subunit');
      return sum + amount;
    }, 0);
    const { amount, currency } = group.options;
    if (sum > amount) throw new Error(`The amount ${amount} is less than the total amount of the line items provided.`);
    const dialog = el('dialog', 'wallet');
    dialog.setAttribute('aria-label', 'Wallet');
    const fault = el('p', 'wallet-fault');
    fault.setAttribute('role', 'alert');
    const [pay, cancel] = [el('button', 'wallet-pay', 'Pay'), el('button', 'wallet-cancel', 'Cancel')];
    pay.type = cancel.type = 'button';
    const close = () => {
      group.confirming = null;
      dialog.close();
      dialog.remove();
    };
    pay.onclick = () => {
      pay.disabled = true;
      group.confirming = { isSubmitted: false, close };
      listeners.confirm({
        elementType: 'expressCheckout',
        expressPaymentType: 'apple_pay',
        billingDetails: { name: 'Owner of the wallet', address: { country: 'US' } },
        paymentFailed({ reason = 'fail', message = 'Payment not completed' } = {}) {
          if (reason !== 'fail') throw new Error(`reason ${reason}`);
          group.confirming = null;
          pay.disabled = false;
          fault.textContent = message;
        },
      });
    };
    cancel.onclick = () => {
      close();
      listeners.cancel?.({ elementType: 'expressCheckout' });
    };
    const lines = lineItems.map(({ name, amount }) => el('p', 'wallet-line', `${name}: ${amount}`));
    dialog.append(...lines, el('p', 'wallet-total', `${amount} ${currency}`), fault, pay, cancel);
    document.body.append(dialog);
    dialog.showModal();
  };

  const OF_EXPRESS = ['paymentMethods', 'buttonType', 'buttonTheme', 'buttonHeight', 'layout', 'paymentMethodOrder'];

  const expressElement = (group, options) => {
    const unknown = Object.keys(options).filter((name) => !OF_EXPRESS.includes(name));
    if (unknown.length) throw new Error(`elements.create('expressCheckout') does not know ${unknown}`);
    const listeners = {};
    const button = el('button', 'wallet-button', 'Apple Pay');
    button.type = 'button';
    button.onclick = () => {
      let isAnswered = false;
      const answer = (act) => (details = {}) => {
        if (isAnswered) throw new Error('the click was answered before');
        isAnswered = true;
        act(details);
      };
      const late = () => {
        if (!isAnswered) throw new Error('the click must be answered within 1 second');
      };
      setTimeout(late, PRESS_MS);
      listeners.click({
        elementType: 'expressCheckout',
        expressPaymentType: 'apple_pay',
        resolve: answer((details) => walletWindow(group, details, listeners)),
        reject: answer(() => {}),
      });
    };
    return {
      on: (event, done) => (listeners[event] = done),
      mount(node) {
        const hasWallet = Boolean(walletCard()) && options.paymentMethods?.applePay !== 'never';
        node.replaceChildren(...(hasWallet ? [button] : []));
        const availablePaymentMethods = hasWallet ? { applePay: true, googlePay: false, link: false } : undefined;
        setTimeout(() => listeners.ready?.({ elementType: 'expressCheckout', availablePaymentMethods }));
      },
      unmount: () => button.remove(),
    };
  };

  globalThis.Stripe = (key) => {
    if (!/^pk_(test|live)_/.test(key)) throw new Error('not a publishable key');
    return {
      elements(options) {
        if (!(options.mode === 'payment' && options.captureMethod === 'manual' && options.amount > 0 && options.currency)) {
          throw new Error('elements needs mode, amount, currency and captureMethod');
        }
        const group = {
          options,
          card: null,
          confirming: null,
          create(kind, options = {}) {
            if (kind === 'expressCheckout') return expressElement(group, options);
            group.card = cardElement(options);
            return group.card;
          },
          update(changes) {
            const { setupFutureUsage = null } = changes;
            if (![null, 'on_session', 'off_session'].includes(setupFutureUsage)) throw new Error('setupFutureUsage');
            group.options = { ...group.options, ...changes };
          },
          async submit() {
            if (group.confirming) {
              group.confirming.isSubmitted = true;
              return {};
            }
            if (!group.card) return { error: { message: 'There is nothing to submit.' } };
            const isNumber = /^[0-9 ]{12,}$/.test(group.card.field.value);
            group.card.fault.textContent = isNumber ? '' : 'Your card number is incomplete.';
            return isNumber ? {} : { error: { message: group.card.fault.textContent } };
          },
        };
        return group;
      },
      async createConfirmationToken({ elements: group }) {
        const { confirming } = group;
        if (confirming && !confirming.isSubmitted) throw new Error('elements.submit() must be called first');
        const card = confirming ? walletCard() : group.card.field.value.replaceAll(' ', '');
        const sent = await fetch(`${base}/v1/confirmation_tokens`, { method: 'POST', body: new URLSearchParams({ card, key }) });
        const answer = await sent.json();
        if (!sent.ok) {
          if (confirming) return { error: { message: 'The card of the wallet is invalid.' } };
          group.card.fault.textContent = 'Your card number is invalid.';
          return { error: { message: group.card.fault.textContent } };
        }
        confirming?.close();
        return { confirmationToken: answer };
      },
    };
  };
}
