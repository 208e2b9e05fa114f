FROM python:3.11-slim
WORKDIR /srv/servicetrail
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && useradd --system --home-dir /var/lib/servicetrail --create-home servicetrail
USER servicetrail
ENV SERVICETRAIL_DATA_DIR=/var/lib/servicetrail SERVICETRAIL_LOG_FORMAT=json
EXPOSE 8400
CMD ["servicetrail", "up"]
