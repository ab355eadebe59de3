# One image for web servers, workers and the commands. It keeps nothing; settings come from the environment.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/logbook
COPY deploy/requirements.txt deploy/
RUN /opt/logbook/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r deploy/requirements.txt
COPY . .
# GraphiQL, for administrators; needs the network. Setuptools builds this project and isn't kept.
RUN /opt/logbook/bin/python -m tools.graphiql_assets \
 && pip wheel --no-cache-dir --no-deps --wheel-dir /wheel . \
 && /opt/logbook/bin/pip install --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --no-create-home --shell /usr/sbin/nologin logbook \
 && install --directory --owner=logbook --mode=0700 /var/lib/logbook /var/lib/logbook-files
COPY --from=build /opt/logbook /opt/logbook
ENV PATH=/opt/logbook/bin:$PATH
ENV PYTHONUNBUFFERED=1
USER logbook
WORKDIR /tmp
EXPOSE 8000
# On SIGTERM a web server answers what is in flight, a worker finishes its mail: give both 60 seconds.
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
CMD ["logbook", "serve", "--host", "0.0.0.0", "--port", "8000"]
